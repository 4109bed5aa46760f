// CloudEvents 1.0, structured and binary (https://github.com/cloudevents/spec): how an event looks in them. `data` is
// copied byte for byte, never parsed. Must use names that the specification allows: lower-case letters and digits.

export const CLOUD_EVENT_TYPE = "application/cloudevents+json";
export const CLOUD_EVENT_BATCH_TYPE = "application/cloudevents-batch+json";

/** What a CloudEvent says besides its data. */
export interface CloudEventHead {
  readonly id: string;
  /** Who raised it; `id` is unique within it. */
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly livemode: boolean;
  /** What the event is about, where its payload says so. */
  readonly subject: string | null;
  readonly companyId: string | null;
  readonly userId: string | null;
}

/** A tenant's events come from here. */
export function cloudEventSource(tenantId: string): string {
  return `/bigledger/${tenantId}`;
}

/** Names and values as binary mode has them, before their encoding for headers: `ce-id`, `ce-type`, … */
export function cloudEventAttributes(
  head: CloudEventHead,
): readonly (readonly [name: string, value: string | boolean])[] {
  const { subject, companyId, userId } = head;
  return [
    ["specversion", "1.0"],
    ["id", head.id],
    ["source", head.source],
    ["type", head.type],
    ["time", head.time],
    ...(subject === null ? [] : [["subject", subject] as const]),
    ["livemode", head.livemode],
    ...(companyId === null ? [] : [["companyid", companyId] as const]),
    ...(userId === null ? [] : [["userid", userId] as const]),
  ];
}

/** Structured mode: the text before the bytes of `data`; after them stands `}`. */
export function cloudEventBeforeData(head: CloudEventHead): string {
  const attributes = cloudEventAttributes(head).map(([name, value]) => `"${name}":${JSON.stringify(value)}`);
  return `{${attributes.join(",")},"datacontenttype":"application/json","data":`;
}
