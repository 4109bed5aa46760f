// The one table of errors: every code that a user can meet, its HTTP status and what to do about it.
// Codes are never renamed or reused. Messages must never hold a secret or a payload.

export interface ErrorEntry {
  /** HTTP status of an answer with this code. */
  readonly status: number;
  /** What it means, in one sentence for a person. */
  readonly message: string;
  /** What to do next. */
  readonly help: string;
  /** True when the same request may succeed later, unchanged. */
  readonly retryable: boolean;
}

const entry = (status: number, message: string, help: string, retryable = false): ErrorEntry => ({
  status,
  message,
  help,
  retryable,
});

export const ERRORS = {
  INVALID_JSON: entry(400, "The body is not JSON.", "Send one JSON document in UTF-8; the message names the byte."),
  INVALID_UTF8: entry(400, "The body is not UTF-8.", "Encode the body as UTF-8 without a byte order mark."),
  JSON_TOO_DEEP: entry(400, "The body nests deeper than 64 levels.", "Flatten the payload."),
  EMPTY_BODY: entry(400, "The body is empty.", "Send a JSON body."),
  INVALID_REQUEST: entry(400, "The request cannot be read.", "See the message."),
  UNAUTHORIZED: entry(
    401,
    "No valid API key was given.",
    "Send `Authorization: Bearer <api key>` with a key that is neither revoked nor expired.",
  ),
  FORBIDDEN: entry(403, "This API key may not do that.", "Use a key that has the scope named in the details."),
  NOT_FOUND: entry(404, "There is no such thing here.", "Check the id; ids of other tenants look like absent ones."),
  METHOD_NOT_ALLOWED: entry(405, "This path does not answer that method.", "See the `Allow` header."),
  CONFLICT: entry(409, "The thing is not in a state that allows this.", "See the message."),
  ALREADY_EXISTS: entry(409, "There is one of that name or id already.", "Choose another, or change the one there is."),
  LAST_ADMINISTRATOR: entry(
    409,
    "This is the tenant's last lasting administrator's key.",
    "Make another key first, with the scope `admin` and without an expiry; then repeat.",
  ),
  AMBIGUOUS_NAME: entry(
    409,
    "Several webhooks bear this name, so which one is meant cannot be told.",
    "Rename or delete all but one; the details name them.",
  ),
  IDEMPOTENCY_KEY_REUSED: entry(
    409,
    "This Idempotency-Key came before with another body.",
    "Use a new key for a new event; repeat the very same bytes to repeat a request.",
  ),
  EVENT_ID_TAKEN: entry(
    409,
    "This event id came before with another body.",
    "Give each event an id of its own, or leave `id` out.",
  ),
  NOT_RETRYABLE: entry(
    409,
    "Only a pending, held or dead-lettered delivery can be retried.",
    "Replay the event instead: POST /v1/events/{id}/replay.",
  ),
  ROTATION_UNDER_WAY: entry(
    409,
    "A rotation of this signing secret is under way.",
    "Wait for the end of its overlap, or replace the secret at once with `overlapSeconds` 0.",
  ),
  NO_ROTATION_UNDER_WAY: entry(
    409,
    "No rotation of this signing secret is under way, or its overlap is over.",
    "Begin one: POST /v1/webhooks/{id}/secret/rotate. When an overlap ends the new secret is in force by itself.",
  ),
  NOT_CANCELLABLE: entry(
    409,
    "Only a pending or held delivery can be cancelled.",
    "The message says what state it is in; there is nothing to be done.",
  ),
  NOT_PARKED: entry(
    409,
    "Only a delivery that is held and so holds its key can be skipped.",
    "GET /v1/parked-keys lists those; a pending one is cancelled instead: POST /v1/deliveries/{id}/cancel.",
  ),
  NOT_CORRECTABLE: entry(
    409,
    "Only the payload of a held or dead-lettered delivery can be corrected.",
    "See the message; otherwise publish a corrected event.",
  ),
  PRECONDITION_FAILED: entry(412, "The thing has changed since you read it.", "Read it again and repeat the change."),
  REQUEST_TIMEOUT: entry(
    408,
    "The request did not arrive in time.",
    "Send headers within 10 seconds and the whole request within 30.",
    true,
  ),
  BODY_TOO_LARGE: entry(413, "The body is too large.", "`data` may hold 10 MiB, a request 32 MiB."),
  UNSUPPORTED_MEDIA_TYPE: entry(
    415,
    "The content type is not supported here.",
    "Send application/json (or application/x-ndjson to /v1/events/batch), in UTF-8 and without a content encoding.",
  ),
  HEADERS_TOO_LARGE: entry(431, "The request's headers are too large.", "Keep all headers together under 16 KiB."),
  VALIDATION_ERROR: entry(422, "The request is not valid.", "See the details: each names a field."),
  UNKNOWN_FIELD: entry(422, "There is no such field.", "The details name the nearest known field."),
  FIELD_NOT_AVAILABLE_YET: entry(
    422,
    "This field is part of the contract but not built yet.",
    "Leave it out for now; a field is accepted only once it works.",
  ),
  READ_ONLY_FIELD: entry(422, "This field is set by Posthorn.", "Leave it out; the details say how to change it."),
  MISSING_MEMBER: entry(422, "A required member is missing.", "The details name it."),
  WRONG_TYPE: entry(422, "A member has the wrong type.", "The details name it and the type expected."),
  DUPLICATE_MEMBER: entry(422, "A member is given twice.", "Give each top-level member once."),
  DUPLICATE_NAME: entry(422, "Two webhooks of the request have the same name.", "Give each webhook its own name."),
  NOT_AN_OBJECT: entry(422, "A JSON object was expected.", "Wrap the event in an object."),
  TOO_MANY_EVENTS: entry(422, "The batch holds more than 1,000 events.", "Split it."),
  EMPTY_BATCH: entry(422, "The batch holds no event.", "Send at least one."),
  UNKNOWN_EVENT_TYPE: entry(
    422,
    "The catalogue has no such event type.",
    "Use one of the names in GET /v1/event-types; the details name the nearest.",
  ),
  INVALID_EXPRESSION: entry(422, "An expression cannot be read.", "The details point at the character."),
  TARGET_REFUSED: entry(
    422,
    "The URL leads to an address that deliveries may not reach.",
    "Use a public https address; in development add host:port to POSTHORN_ALLOW_TARGETS.",
  ),
  EVENT_REFUSED_BY_STORAGE: entry(
    422,
    "The database refused this event.",
    "Its batch-mates are not affected. Tell the operator the request id.",
  ),
  RATE_LIMITED: entry(
    429,
    "This API key or tenant is over its limit.",
    "Wait for the seconds in Retry-After, then repeat.",
    true,
  ),
  INTERNAL: entry(500, "Something went wrong here.", "Tell the operator the request id.", true),
  OVERLOADED: entry(503, "This node holds as much as it may.", "Repeat after the seconds in Retry-After.", true),
  DATABASE_UNAVAILABLE: entry(
    503,
    "The database cannot be reached.",
    "Nothing was stored. Repeat after the seconds in Retry-After.",
    true,
  ),
  OUTCOME_UNKNOWN: entry(
    503,
    "The connection to the database was lost while the event was being stored, so it may or may not be stored.",
    "Repeat the request with the same Idempotency-Key (or the same event id): it is stored once.",
    true,
  ),
  SHUTTING_DOWN: entry(
    503,
    "This node is shutting down.",
    "Repeat: another node, or this one restarted, takes it.",
    true,
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** One field's complaint inside an error. */
export interface ErrorDetail {
  readonly field?: string;
  readonly message: string;
  readonly code: string;
  readonly [extra: string]: unknown;
}

/** The failure body that the API answers with (house conventions of the published contract). */
export interface ErrorBody {
  readonly success: false;
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details: readonly ErrorDetail[];
    readonly requestId: string;
    readonly timestamp: string;
    readonly documentation: string;
  };
  readonly meta: { readonly requestId: string; readonly timestamp: string };
}
