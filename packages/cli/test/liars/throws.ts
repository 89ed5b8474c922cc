import { i386But } from './over.ts';

export const port = i386But(() => ({
  protect: () => {
    throw new TypeError('not today <&"\u0007>');
  },
}));
