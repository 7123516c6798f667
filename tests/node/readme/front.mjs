// The query and the watch of the front door: node front.mjs '{"folder", "url", "producer", "consumer"}'
import { readFileSync, writeFileSync } from 'node:fs';
import { offer, register } from './others.mjs';
import { end, snippet, parameters, until } from './surroundings.mjs';

await offer(await register('before'));
const file = `${parameters.folder}/front.mjs`;
writeFileSync(file, readFileSync(file, 'utf8').replace('the token of tenant 2002', parameters.consumer.token));

const shown = [];
console.log = (value) => shown.push(value);
snippet('front.mjs'); // Not awaited: its watch goes on for ever.
await until(() => shown.some((item) => item.__typename === 'WatchBookmark'));
await offer(await register('after'));
await until(() => shown.some((item) => item.__typename === 'MemberStatusChanged'));
await end({ shown: shown.filter((item, at) => at < 2 || item.__typename === 'MemberStatusChanged') });
