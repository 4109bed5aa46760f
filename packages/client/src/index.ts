// The door of the SDK: publish, manage, and verify what a receiver gets. Needs nothing but @posthorn/contract, and runs
// wherever fetch and WebCrypto are: Node.js from 20.19 on, browsers, edge runtimes.
export {
  type AnyCode,
  type ClientCode,
  ConnectionFailed,
  errors,
  InvalidArgument,
  isPosthornError,
  PosthornError,
  TimedOut,
  UnexpectedAnswer,
} from "./errors.ts";
export type { EventData, EventMap } from "./generated/event-map.ts";
/** The objects that events are about: `objects.Invoice`. */
export type * as objects from "./generated/event-map.ts";
export type { RetryOptions } from "./http/retry.ts";
export type { CallOptions } from "./http/transport.ts";
export type { Listing, Page } from "./listing.ts";
export type { PosthornOptions } from "./options.ts";
export { Posthorn } from "./posthorn.ts";
export type { HeadersLike } from "./receive/headers.ts";
export {
  type RawBody,
  type Refused,
  type RefusalReason,
  type SignatureCheck,
  type SignatureOptions,
  verifySignature,
} from "./receive/verify-signature.ts";
export {
  checkWebhook,
  type Envelope,
  eventsOf,
  isWebhookBatch,
  isWebhookDigest,
  type ReceivedWebhook,
  verifyWebhook,
  type WebhookBatch,
  type WebhookCheck,
  type WebhookDigest,
  type WebhookEvent,
  WebhookRefused,
} from "./receive/verify-webhook.ts";
export type { KeyQuery } from "./resources/access.ts";
export type { PublishOptions } from "./resources/events.ts";
export type { PreviewInput } from "./resources/preview.ts";
export type { ChangeOptions, IfMatch } from "./resources/read.ts";
export type { LogQuery, WebhookQuery } from "./resources/webhooks.ts";
export type * from "./types/access.ts";
export type * from "./types/definition.ts";
export type * from "./types/delivery.ts";
export type * from "./types/digest.ts";
export type * from "./types/event.ts";
export type * from "./types/module.ts";
export type * from "./types/node.ts";
export type * from "./types/organisation.ts";
export type * from "./types/route.ts";
export type * from "./types/preview.ts";
export type * from "./types/replay.ts";
export type * from "./types/snapshot.ts";
export type * from "./types/webhook.ts";
export { VERSION } from "./version.ts";
export type { ErrorCode, ErrorDetail, SignatureProfile } from "@posthorn/contract";
