import { defineConfig } from 'vitest/config';

// What `npm run test:release` runs: it needs built packages and, for one test, Chromium, so `npm test` leaves it out.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['test/**/*.gate.ts'],
    environment: 'node',
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // One registry and one machine: what runs beside the others only makes them slow.
    fileParallelism: false,
    reporters: ['default', ['junit', { outputFile: '../../reports/release.xml' }]],
  },
});
