/**
 * `@uvmkit/pmap-powerpc`: two PowerPC MMUs and NetBSD's pmaps for them, as ports. Codecs and MMU models are
 * exported by `@uvmkit/pmap-powerpc/oea` and `@uvmkit/pmap-powerpc/ibm4xx`.
 */
export { oea, oeaFormat, type OeaOptions } from './oea/index.ts';
export { ibm4xx, ibm4xxFormat, type Ibm4xxOptions } from './ibm4xx/index.ts';
