// The door of the contract package: everything that goes over the wire, for server, SDK and receivers alike.
export * from "./batch.ts";
export * from "./cloud-events.ts";
export * from "./envelope.ts";
export * from "./errors.ts";
export * from "./ids.ts";
export * from "./nearest.ts";
export * from "./signature-profiles.ts";
export * from "./signatures.ts";
