import { defineProject } from 'vitest/config';

export default defineProject({
  resolve: { conditions: ['@uvmkit/source'] },
  ssr: { resolve: { conditions: ['@uvmkit/source'] } },
  test: {
    name: 'mutants',
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    environment: 'node',
  },
});
