import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { otherSpelling } from "../../src/expressions/spelling.ts";

describe("otherSpelling", () => {
  it.each([
    ["customer_id", "customerId"],
    ["customerId", "customer_id"],
    ["a_b_c", "aBC"],
    ["credit_limit_exceeded_at", "creditLimitExceededAt"],
    ["invoiceID", "invoice_id"],
    ["qrCodeURLText", "qr_code_url_text"],
    ["CompanyID", "company_id"],
    ["address_2", "address2"],
    ["_private_field", "_privateField"],
    ["trailing_one_", "trailingOne_"],
    ["été_client", "étéClient"],
  ])("%s ↔ %s", (name, other) => {
    expect(otherSpelling(name)).toBe(other);
  });

  it.each([
    "id",
    "total",
    "Customer",
    "SKU",
    "_id",
    "return_",
    "__proto__",
    "a__b",
    "address2",
    "",
    "名称",
    "x".repeat(300) + "_y",
  ])("%s has one spelling", (name) => {
    expect(otherSpelling(name)).toBeUndefined();
  });

  it("goes to camelCase and back for ordinary names", () => {
    const word = fc.stringMatching(/^[a-z]{2,8}$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 2, maxLength: 5 }), (words) => {
        const snake = words.join("_");
        expect(otherSpelling(otherSpelling(snake) ?? "")).toBe(snake);
      }),
    );
  });
});
