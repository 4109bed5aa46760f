// The little that the embedded server needs of a logger; a pino logger fits as it is.

export type EmbeddedLog = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};
