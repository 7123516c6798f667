// TypeScript for every operation of `operations/`, into a folder that git ignores.
export default {
  schema: '../../schema.graphql',
  documents: 'operations/*.graphql',
  generates: {
    'typed/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: { unmaskFunctionName: 'read' } },
      config: {
        useTypeImports: true,
        strictScalars: true,
        scalars: { ByteCount: 'number', Cursor: 'string', DateTime: 'string' },
      },
    },
  },
}
