// What the SDK offers. Needs nothing but @posthorn/contract, and runs wherever fetch and WebCrypto are.
export const VERSION = "0.1.0";
