// The version of the SDK, as servers see it in the user agent.
export const VERSION = "0.1.0";
