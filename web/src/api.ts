// The HTTP interface, as far as this page needs it.

import type { NewTask, Problem, TaskPage, TaskSummary, UserSummary } from "./messages.generated";

/** An answer that says no, with the server's sentence. */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, headers: { accept: "application/json" } };
  if (body !== undefined) {
    init.headers = { accept: "application/json", "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  const response = await fetch(`/api/v1${path}`, init);
  if (!response.ok) throw new ApiError((await response.json()) as Problem);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const api = {
  /** Who is signed in, or null. */
  async me(): Promise<UserSummary | null> {
    try {
      return await call<UserSummary>("GET", "/me");
    } catch (error) {
      if (error instanceof ApiError && error.problem.status === 401) return null;
      throw error;
    }
  },
  signIn: (name: string, password: string) => call<void>("POST", "/sign-in", { name, password }),
  signInWithCode: (code: string) => call<void>("POST", "/sign-in/code", { code }),
  signOut: () => call<void>("POST", "/sign-out"),
  tasks: (search: string) => call<TaskPage>("GET", `/tasks?search=${encodeURIComponent(search)}`),
  createTask: (task: NewTask) => call<TaskSummary>("POST", "/tasks", task),
  deleteTask: (id: string) => call<void>("DELETE", `/tasks/${id}`),
};
