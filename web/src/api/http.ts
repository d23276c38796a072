// One HTTP call, and the error it may end with.

import { ERRORS, type ErrorCode, type Problem } from "../messages.generated";

const PREFIX = "/api/v1";

/** An answer that says no, or none at all: the code for programs, the server's sentence for people. */
export class ApiError extends Error {
  constructor(
    readonly code: ErrorCode | "offline",
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Calls the interface below `/api/v1`. A body that is no plain object is sent as it is. Throws {@link ApiError}. */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  const init: RequestInit = { method, headers };
  if (body instanceof Blob) init.body = body;
  else if (body !== undefined) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  const response = await fetch(PREFIX + path, init).catch((cause: unknown) => {
    throw new ApiError("offline", String(cause), 0);
  });
  if (!response.ok) throw await problemOf(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function problemOf(response: Response): Promise<ApiError> {
  // A proxy in between answers in other words than the server's.
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  const code = problem.code && problem.code in ERRORS ? problem.code : "internal";
  return new ApiError(code, problem.detail ?? `HTTP ${response.status}`, response.status);
}

/** A task path as part of a URL: each component percent-encoded. */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** Parameters that have a value, as the part of a URL from `?` on. */
export function query(parameters: Record<string, string | number | undefined>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined && value !== "") given.set(name, String(value));
  const text = given.toString();
  return text && `?${text}`;
}
