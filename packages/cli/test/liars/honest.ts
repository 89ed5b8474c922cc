import { honest } from './over.ts';

export const port = honest;
