// What reaches which stream, and in which colour: terminals, pipes, NO_COLOR, --json.
import { PosthornError } from "@posthorn/client";
import { describe, expect, test } from "vitest";
import { CommandFailure, EXIT, type ToldFailure, toldFailure, usageFailure } from "../../src/lib/exit.ts";
import { Io } from "../../src/lib/io.ts";

function open(options: { tty?: boolean; env?: Record<string, string>; isJson?: boolean; columns?: number } = {}) {
  const written = { out: "", err: "" };
  const stream = (name: "out" | "err") =>
    ({
      isTTY: options.tty ?? false,
      columns: options.columns ?? 60,
      write: (text: string) => {
        written[name] += text;
        return true;
      },
    }) as unknown as NodeJS.WriteStream;
  const streams = { stdout: stream("out"), stderr: stream("err"), env: options.env ?? {} };
  return { io: new Io(streams, { isJson: options.isJson ?? false }), written };
}

const FAILURE = toldFailure(new CommandFailure("NO_API_KEY", "No key.", { hint: "Give one." })) as ToldFailure;

describe("colour", () => {
  test.each([
    ["on a terminal", { tty: true }, true],
    ["in a pipe", { tty: false }, false],
    ["where NO_COLOR is set", { tty: true, env: { NO_COLOR: "1" } }, false],
    ["where NO_COLOR is empty", { tty: true, env: { NO_COLOR: "" } }, true],
    ["on a dumb terminal", { tty: true, env: { TERM: "dumb" } }, false],
  ])("%s: %j → %s", (_name, options, isColoured) => {
    const { io, written } = open(options);
    io.say(io.paint("green", "delivered"));
    io.fail(FAILURE);
    expect([written.out.includes("\u001b["), written.err.includes("\u001b[")]).toEqual([isColoured, isColoured]);
    expect(written.out).toContain("delivered");
  });
});

describe("progress", () => {
  test("is one line that goes before the next result, on a terminal only", () => {
    const { io, written } = open({ tty: true });
    io.progress("10 of 20…");
    io.say("done");
    expect(written).toEqual({ out: "done\n", err: "\r\u001b[K10 of 20…\r\u001b[K" });
    const pipe = open();
    pipe.io.progress("10 of 20…");
    expect(pipe.written).toEqual({ out: "", err: "" });
  });
});

describe("a failure", () => {
  test("is told with its code, its details, what to do, and the request", () => {
    const details = [{ field: "scopes[0]", message: "Not a scope.", code: "INVALID_VALUE" }];
    const error = new PosthornError({
      code: "VALIDATION_ERROR",
      message: "The request is not valid.",
      status: 422,
      details,
      requestId: "req_1",
      documentation: "http://127.0.0.1:8420/docs/errors#VALIDATION_ERROR",
    });
    const { io, written } = open();
    io.fail(toldFailure(error) as ToldFailure);
    expect(written.err).toBe(
      "VALIDATION_ERROR: The request is not valid.\n  scopes[0]: Not a scope.\n(req_1, http://127.0.0.1:8420/docs/errors#VALIDATION_ERROR)\n",
    );
  });

  test("is JSON on standard error when JSON is asked for, and remarks are left out", () => {
    const { io, written } = open({ isJson: true });
    io.note("a remark");
    io.fail(FAILURE);
    expect(written.out).toBe("");
    expect(JSON.parse(written.err)).toEqual({
      error: {
        code: "NO_API_KEY",
        message: "No key.",
        hint: "Give one.",
        details: [],
        requestId: null,
        documentation: null,
      },
    });
  });

  test("that nobody foresaw is not told as one of ours", () => {
    expect(toldFailure(new TypeError("x is not a function"))).toBeNull();
    expect(usageFailure("…").exitCode).toBe(EXIT.usage);
  });
});

describe("fields", () => {
  test("wrap to the terminal, leave out what is not there, and neutralise control characters", () => {
    const { io, written } = open({ tty: true, columns: 40, env: { NO_COLOR: "1" } });
    io.fields([
      ["Name", "one two three four five six seven eight"],
      ["Nothing", null],
      ["Evil", "\u001b[31mred"],
    ]);
    expect(written.out).toBe("Name  one two three four five six seven\n      eight\nEvil  \\u001b[31mred\n");
  });
});
