// After a build: the licences of all that is in it, and the checksums by which a test knows it again.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const BUILT = '../static/built';

function installed() {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  return Object.entries(packages).filter(([path, { dev }]) => path && !dev).map(([path]) => path);
}

function licenceOf(path) {
  const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(path, file), 'utf8').trim() : `(The package names ${license} and has no text of it.)`;
  return `${name} ${version} (${license})\n\n${text}\n`;
}

const licences = [...new Set(installed().map(licenceOf))].sort();
writeFileSync(join(BUILT, 'LICENCES.txt'), licences.join(`\n${'-'.repeat(80)}\n\n`));

const sum = (file) => createHash('sha256').update(readFileSync(join(BUILT, file))).digest('hex');
const files = readdirSync(BUILT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== 'manifest.json')
  .map((entry) => join(entry.parentPath, entry.name).slice(BUILT.length + 1)).sort();
writeFileSync(join(BUILT, 'manifest.json'), `${JSON.stringify(Object.fromEntries(files.map((file) => [file, sum(file)])), null, 2)}\n`);
console.log(`${files.length} files, ${licences.length} licences`);
