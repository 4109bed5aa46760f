// A diagnosis as the API shows it: the members of routes/diagnose.ts, one by one.
import { z } from "zod";
import { isEventTypeName } from "../../catalogue/pattern.ts";
import { time } from "./common.ts";
import { webhookTestResult } from "./actions.ts";

export const diagnosisBody = z
  .strictObject({
    send: z
      .boolean()
      .meta({ description: "False looks only: no test request is sent. True when left out." })
      .optional(),
    event: z
      .string()
      .refine(isEventTypeName, "Expected an event type such as invoice.paid")
      .meta({ description: "Whose example the test request carries; the webhook's first one when left out." })
      .optional(),
  })
  .meta({ id: "DiagnosisRequest", description: "How to diagnose.", examples: [{ event: "invoice.paid" }] });

const step = z.enum(["webhook", "dns", "guard", "connect", "tls", "credentials", "request"]);

export const diagnosisRecord = z
  .object({
    verdict: z
      .object({
        status: z.enum(["ok", "warning", "failed"]),
        step: step.meta({ description: "The step that decides." }),
        message: z.string(),
        nextStep: z.string().nullable().meta({ description: "The one thing to do; null when there is nothing." }),
      })
      .meta({ description: "What is wrong first, and what to do about it." }),
    steps: z.array(
      z.object({
        step,
        status: z.enum(["passed", "warning", "failed", "skipped"]),
        message: z.string(),
        durationMs: z.int().min(0).nullable(),
      }),
    ),
    address: z
      .string()
      .nullable()
      .meta({ description: "The address dialled; null when none was, also where the guard refused it." }),
    protocol: z
      .string()
      .nullable()
      .meta({ examples: ["TLSv1.3"] }),
    certificates: z
      .array(
        z.object({
          subject: z.string(),
          issuer: z.string(),
          names: z.array(z.string()),
          validFrom: time,
          expiresAt: time,
          daysLeft: z.int(),
        }),
      )
      .meta({ description: "The receiver's chain, its own certificate first; empty without TLS." }),
    test: webhookTestResult.nullable().meta({ description: "The test request; null when none was sent." }),
  })
  .meta({ id: "Diagnosis", description: "The way to a receiver, step by step, with a verdict." });
