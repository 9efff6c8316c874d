/** Token ids of a stream: two bytes each, or four where a vocabulary has more than 65 536. */
export type Tokens = Uint16Array | Uint32Array
