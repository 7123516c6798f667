// Prints how a schema breaks the clients of an older one, as a JSON list of coordinates and sentences.
import { readFileSync } from 'node:fs'
import { CriticalityLevel, diff } from '@graphql-inspector/core'
import { buildSchema } from 'graphql'

const [before, after] = process.argv.slice(2, 4).map((file) => buildSchema(readFileSync(file, 'utf8')))
const breaks = (await diff(before, after)).filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking)
console.log(JSON.stringify(breaks.map(({ path, message }) => ({ path: path ?? 'schema', message }))))
