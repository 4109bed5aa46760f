// Fields that the bodies of several routes have. What they refuse is refused here, in the same words everywhere.
import { z } from "zod";
import { EMAIL, EMAIL_LENGTH } from "../lib/mail-server.ts";

const ONE_LINE = /^[^\p{Cc}\p{Cs}]*$/u;

/** What a person calls something. */
export const nameField = z.string().min(1).max(200).regex(ONE_LINE, "Use printable characters");

/** Events a second, for a key or a tenant. */
export const captureLimitField = z
  .int()
  .min(1)
  .max(1_000_000)
  .meta({ description: "Events a second that may be published; null for no limit." });

/** A company's id, as the platform gives it or as it is made here. */
export const COMPANY_ID = /^company_[A-Za-z0-9_-]{1,64}$/;
export const companyIdField = z
  .string()
  .regex(COMPANY_ID, "Expected company_ and up to 64 letters, digits, _ or -")
  .meta({ examples: ["company_default"] });

/** A filter that is compared with an id or a word of ours: printable ASCII. */
export const wordParameter = z.string().regex(/^[\x21-\x7e]{1,200}$/, "Expected printable characters without spaces");

/** One address, plainly written. */
export const emailField = z
  .string()
  .max(EMAIL_LENGTH)
  .regex(EMAIL, "Expected an e-mail address such as it@example.com, without a name, quotes or comments")
  .meta({ examples: ["it@example.com"] });

/** A clock that people read. */
export const timeZoneField = z
  .string()
  .max(64)
  .refine((name) => isTimeZone(name), "Expected an IANA time zone such as Asia/Kuala_Lumpur")
  .meta({ examples: ["Asia/Kuala_Lumpur"] });

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone: name }).format(0) !== "" && /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}
