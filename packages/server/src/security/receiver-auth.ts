// How a webhook identifies itself to its receiver beside the signature: a fixed header, made from a setting and one
// secret text. Must never show the text: what is shown comes from here too, masked.
import { MASK } from "../lib/masking.ts";

/** As the published API has it. In a stored configuration the secret member holds the mask. */
export type AuthSetting =
  | { readonly type: "none" }
  | { readonly type: "apiKey"; readonly header: string; readonly value: string }
  | { readonly type: "bearer"; readonly token: string }
  /** Without a password the user name is an API key, as some receivers have it, and then it is the secret. */
  | { readonly type: "basic"; readonly username: string; readonly password: string }
  /** A token that somebody fetched; the grants come later. */
  | { readonly type: "oauth2"; readonly accessToken: string };

export const NO_AUTH: AuthSetting = { type: "none" };

/** The text that must be kept secret, or null. */
export function authSecretOf(auth: AuthSetting): string | null {
  switch (auth.type) {
    case "none":
      return null;
    case "apiKey":
      return auth.value;
    case "bearer":
      return auth.token;
    case "basic":
      return auth.password === "" ? auth.username : auth.password;
    case "oauth2":
      return auth.accessToken;
    default:
      return auth satisfies never;
  }
}

/** The name of the member that holds it: `value`. */
export function authSecretMember(auth: AuthSetting): string | null {
  switch (auth.type) {
    case "none":
      return null;
    case "apiKey":
      return "value";
    case "bearer":
      return "token";
    case "basic":
      return auth.password === "" ? "username" : "password";
    case "oauth2":
      return "accessToken";
    default:
      return auth satisfies never;
  }
}

/** The same setting with the mask in the place of its secret. */
export function maskAuth(auth: AuthSetting): AuthSetting {
  const member = authSecretMember(auth);
  return member === null ? auth : ({ ...auth, [member]: MASK } as AuthSetting);
}

/** Name of the header that carries it, or null. */
export function authHeaderName(auth: AuthSetting): string | null {
  if (auth.type === "none") return null;
  return auth.type === "apiKey" ? auth.header : "authorization";
}

/** The header's value (RFC 6750, section 2.1; RFC 7617, section 2: UTF-8, base64). */
export function authHeaderValue(auth: Exclude<AuthSetting, { type: "none" }>, secret: string): string {
  switch (auth.type) {
    case "apiKey":
      return secret;
    case "bearer":
    case "oauth2":
      return `Bearer ${secret}`;
    case "basic":
      return `Basic ${base64Of(auth.password === "" ? `${secret}:` : `${auth.username}:${secret}`)}`;
    default:
      return auth satisfies never;
  }
}

function base64Of(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** The value as anybody may read it. */
export function shownAuthHeaderValue(auth: Exclude<AuthSetting, { type: "none" }>): string {
  switch (auth.type) {
    case "apiKey":
      return MASK;
    case "bearer":
    case "oauth2":
      return `Bearer ${MASK}`;
    case "basic":
      return `Basic ${MASK}`;
    default:
      return auth satisfies never;
  }
}
