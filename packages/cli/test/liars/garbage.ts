import { i386But } from './over.ts';

// What a port in JavaScript may do, whatever the types say.
export const port = i386But(() => ({ extract: () => JSON.parse('"a banana"') as number }));
