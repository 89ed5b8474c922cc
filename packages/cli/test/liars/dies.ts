import { i386But } from './over.ts';

export const port = i386But(() => ({ collect: () => process.exit(3) }));
