// The fields by which a webhook and its receiver know each other: authorisation, signature profiles, allowed addresses.
// Their schemas and the checks that a schema cannot make; must never repeat a value that may be a secret.
import { isIP } from "node:net";
import {
  type ErrorDetail,
  SIGNATURE_ALGORITHMS,
  SIGNATURE_ENCODINGS,
  SIGNATURE_PROFILE_NAMES,
  type SignatureProfile,
  signatureRecipe,
} from "@posthorn/contract";
import { z } from "zod";
import { MASK } from "../lib/masking.ts";
import { listHolds, parseAddressEntry, parseAddressList } from "../security/addresses/address-list.ts";
import { checkCustomHeader } from "../security/outbound/headers.ts";
import { type AuthSetting, authHeaderName, authSecretMember, authSecretOf } from "../security/receiver-auth.ts";

const MAX_PROFILES = 8;
const MAX_ALLOWED_IPS = 100;

const headerName = z.string().min(1).max(64);
const secretText = z.string().min(1).max(4_096);

export const authField = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("none") }),
  z.strictObject({ type: z.literal("apiKey"), header: headerName, value: secretText }),
  z.strictObject({ type: z.literal("bearer"), token: secretText }),
  z.strictObject({ type: z.literal("basic"), username: z.string().max(2_000), password: z.string().max(2_000) }),
  z.strictObject({ type: z.literal("oauth2"), accessToken: secretText }),
]);

const namedHeader = z.strictObject({
  type: z.literal("header"),
  header: headerName,
  algorithm: z.enum(SIGNATURE_ALGORITHMS),
  encoding: z.enum(SIGNATURE_ENCODINGS),
  prefix: z
    .string()
    .max(64)
    .regex(/^[\x21-\x7e]*$/, "Use printable ASCII characters without spaces")
    .optional(),
});

export const signatureField = z.strictObject({
  profiles: z
    .array(z.union([z.enum(SIGNATURE_PROFILE_NAMES), namedHeader]))
    .min(1, "Name at least one profile, or null for the default")
    .max(MAX_PROFILES),
});

export const allowedIpsField = z
  .array(z.string().min(1).max(64))
  .min(1, "Name at least one address, or null for any")
  .max(MAX_ALLOWED_IPS);

/** For the validation of bodies: kinds of authorisation that the contract knows and that are not built yet. */
export const RECEIVER_FIELD_HINTS = {
  notYet: ["auth.grantType", "auth.tokenUrl", "auth.clientId", "auth.clientSecret", "auth.scopes", "auth.refreshToken"],
  notYetValues: { "auth.type": ["jwt", "mtls", "sigv4"] },
} as const;

const TOKEN = /^[\x21-\x7e]+$/;
const NO_CONTROLS = /^[^\p{Cc}\p{Cs}]*$/u;

/** What is wrong with an authorisation by itself. */
export function checkAuth(auth: AuthSetting): ErrorDetail[] {
  switch (auth.type) {
    case "none":
      return [];
    case "apiKey": {
      const check = checkCustomHeader(auth.header, auth.value);
      if (check.ok) return [];
      const field = check.code === "HEADER_VALUE" ? "auth.value" : "auth.header";
      return [{ field, message: check.message, code: check.code }];
    }
    case "bearer":
      return checkToken("auth.token", auth.token);
    case "oauth2":
      return checkToken("auth.accessToken", auth.accessToken);
    case "basic":
      return checkBasic(auth);
    default:
      return auth satisfies never;
  }
}

function checkToken(field: string, token: string): ErrorDetail[] {
  if (TOKEN.test(token)) return [];
  const message =
    "A token has printable ASCII characters and no spaces; `Bearer` is put before it. Send the token alone.";
  return [{ field, message, code: "INVALID_VALUE" }];
}

/** RFC 7617, section 2: no colon in the user name, no control characters. */
function checkBasic({ username, password }: { username: string; password: string }): ErrorDetail[] {
  const details: ErrorDetail[] = [];
  if (username === "" && password === "") {
    const message = "A user name, a password, or both are expected. An API key alone goes into the user name.";
    details.push({ field: "auth.username", message, code: "INVALID_VALUE" });
  }
  if (username === MASK && password !== "") {
    const message = `${MASK} stands for a value that is stored, and a user name beside a password is not hidden. Send the name itself.`;
    details.push({ field: "auth.username", message, code: "INVALID_VALUE" });
  }
  if (username.includes(":") || !NO_CONTROLS.test(username)) {
    const message = "A user name has no colon and no control characters.";
    details.push({ field: "auth.username", message, code: "INVALID_VALUE" });
  }
  if (!NO_CONTROLS.test(password)) {
    details.push({ field: "auth.password", message: "A password has no control characters.", code: "INVALID_VALUE" });
  }
  return details;
}

/** What is wrong with the profiles by themselves: headers that are ours, or given twice. */
export function checkSignature(signature: { readonly profiles: readonly SignatureProfile[] }): ErrorDetail[] {
  const seen = new Set<string>();
  return signature.profiles.flatMap((profile, index) => {
    const field = `signature.profiles[${index}]`;
    const { header } = signatureRecipe(profile);
    if (typeof profile !== "string") {
      const problem = namedHeaderProblem(header);
      if (problem !== null) return [{ field: `${field}.header`, message: problem, code: "INVALID_VALUE" }];
    }
    if (!seen.has(header.toLowerCase())) {
      seen.add(header.toLowerCase());
      return [];
    }
    const message = `The header ${header} carries another profile's signature already. Leave one of them out.`;
    return [{ field, message, code: "INVALID_VALUE" }];
  });
}

/** Receivers exist that want a bare HMAC in X-Signature: of our own names this one may be chosen. */
function namedHeaderProblem(header: string): string | null {
  if (header.toLowerCase() === "x-signature") return null;
  const check = checkCustomHeader(header, "");
  return check.ok ? null : check.message;
}

/** Entries that are neither an address nor a CIDR block. */
export function checkAllowedIps(entries: readonly string[]): ErrorDetail[] {
  return entries.flatMap((entry, index) => {
    if (parseAddressEntry(entry) !== null) return [];
    const field = `allowedIps[${index}]`;
    const example = "for example 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32";
    const message = `This is neither an IP address nor a CIDR block without bits beyond its prefix, ${example}.`;
    return [{ field, message, code: "INVALID_VALUE" }];
  });
}

/** The members of a configuration that must fit together. */
interface Together {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly auth?: AuthSetting;
  readonly signature?: { readonly profiles: readonly SignatureProfile[] };
  readonly allowedIps?: readonly string[];
  readonly orderingKey?: string | true;
  readonly batchSettings?: { readonly enabled?: boolean };
  readonly coalesce?: object;
  readonly onImport?: string;
}

/** Contradictions between fields, each of them right by itself: headers set twice, an address never to be reached. */
export function checkTogether(configuration: Together): ErrorDetail[] {
  return [
    ...headerConflicts(configuration),
    ...unreachableAddress(configuration),
    ...gatheredAndOrdered(configuration),
  ];
}

/** Of one key one delivery is on its way, so there is nothing to gather. */
function gatheredAndOrdered(configuration: Together): ErrorDetail[] {
  const { orderingKey, batchSettings, coalesce, onImport } = configuration;
  if (orderingKey === undefined) return [];
  const gathering = [
    ...(batchSettings?.enabled === true ? ["batchSettings"] : []),
    ...(coalesce === undefined ? [] : ["coalesce"]),
    ...(onImport === undefined || onImport === "each" ? [] : ["onImport"]),
  ];
  return gathering.map((field) => ({
    field,
    message: `\`orderingKey\` sends events one after the other, and \`${field}\` together. Leave one of them out.`,
    code: "INVALID_VALUE",
  }));
}

function headerConflicts({ headers, auth, signature }: Together): ErrorDetail[] {
  const own = new Map(Object.keys(headers ?? {}).map((name) => [name.toLowerCase(), `headers.${name.slice(0, 64)}`]));
  const authName = auth === undefined ? null : authHeaderName(auth);
  const details: ErrorDetail[] = [];
  const clash = (field: string, name: string, other: string): void => {
    const message = `Both this and ${other} set the header ${name}. Leave one of them out.`;
    details.push({ field, message, code: "INVALID_VALUE" });
  };
  if (authName !== null) {
    const other = own.get(authName.toLowerCase());
    if (other !== undefined) clash("auth", authName, `\`${other}\``);
    else own.set(authName.toLowerCase(), "auth");
  }
  for (const [index, profile] of (signature?.profiles ?? []).entries()) {
    const { header } = signatureRecipe(profile);
    const other = own.get(header.toLowerCase());
    if (other !== undefined) clash(`signature.profiles[${index}]`, header, `\`${other}\``);
  }
  return details;
}

function unreachableAddress({ url, allowedIps }: Together): ErrorDetail[] {
  const list = parseAddressList(allowedIps ?? null);
  if (list === null || !URL.canParse(url)) return [];
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) === 0 || listHolds(list, host)) return [];
  const message = `The URL's address ${host} is not in this list, so nothing could be delivered. Add it, or change the URL.`;
  return [{ field: "allowedIps", message, code: "INVALID_VALUE" }];
}

/** A mask for which nothing is stored: the type was changed, or there was no authorisation at all. */
export function unknownAuthMask(given: AuthSetting | null | undefined, stored: AuthSetting | undefined): ErrorDetail[] {
  if (!given || authSecretOf(given) !== MASK) return [];
  const isSamePlace = given.type === stored?.type && authSecretMember(given) === authSecretMember(stored);
  if (isSamePlace) return [];
  const what =
    stored === undefined ? "no authorisation" : `\`${authSecretMember(stored)}\` of one of type ${stored.type}`;
  const message = `${MASK} stands for a value that is stored, and what is stored is ${what}. Send the value itself.`;
  return [{ field: `auth.${authSecretMember(given)}`, message, code: "INVALID_VALUE" }];
}
