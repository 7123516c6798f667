// Lints a schema file with the rules of graphql-eslint for schemas; prints the violations, and exits with 1 if there are any.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import graphql from '@graphql-eslint/eslint-plugin'
import { ESLint } from 'eslint'

// An item of a watch is identified by its cursor: it is a message, not an object that could be fetched again.
const MESSAGES = ['ImageChanged', 'ImageState', 'MemberState', 'MemberStatusChanged']
const SIGNALS = ['WatchBookmark', 'WatchReset', 'WatchSynced']

const RULES = {
  ...graphql.configs['flat/schema-recommended'].rules,
  ...graphql.configs['flat/schema-relay'].rules,
  '@graphql-eslint/strict-id-in-types': [
    'error',
    { exceptions: { types: ['PageInfo', ...MESSAGES, ...SIGNALS], suffixes: ['Connection', 'Edge', 'Payload', 'Error'] } },
  ],
  '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
}

// The log can only be read forwards, and contains messages. The options of the rules would exempt every other list too,
// so these are exempted by their line.
const EXCUSED = [
  "type OfferEventEdge { Edge type's field `node` must implement `Node` interface.",
  'offerEvents( Field `offerEvents` must contain an argument `last`, that return Int.',
  'offerEvents( Field `offerEvents` must contain an argument `before`, that return String or Scalar.',
]

const schema = resolve(process.argv[2])
const eslint = new ESLint({
  cwd: dirname(schema),
  overrideConfigFile: true,
  baseConfig: {
    files: ['**/*.graphql'],
    plugins: { '@graphql-eslint': graphql },
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
    rules: RULES,
  },
})
const lines = readFileSync(schema, 'utf8').split('\n')
const [result] = await eslint.lintFiles([schema])
const said = result.messages.map(({ line, message }) => `${lines[line - 1].trim()} ${message}`)
const faults = result.messages.filter((_, place) => !EXCUSED.includes(said[place]))

for (const { line, ruleId, message } of faults) console.log(`line ${line}: ${message} (${ruleId})`)
for (const excuse of EXCUSED) if (!said.includes(excuse)) console.log(`excused in vain: ${excuse}`)
process.exitCode = faults.length || EXCUSED.some((excuse) => !said.includes(excuse)) ? 1 : 0
