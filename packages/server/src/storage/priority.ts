// How urgent a webhook is beside the others of its tenant. A name and its values only; deliver/fair-turns.ts gives them weight.
export const PRIORITIES = ["high", "normal", "low"] as const;
export type Priority = (typeof PRIORITIES)[number];
