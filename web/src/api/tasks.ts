// Tasks and files over HTTP.

import type { FileStored, Language, NewTask, RunFiles, RunPage, TaskChange, TaskDetail, TaskPage, TaskTree, TreeChanged } from "../messages.generated";
import { call, encodePath, query } from "./http";

export interface TaskFilter {
  search?: string;
  language?: Language;
  cursor?: string;
}

export const listTasks = (filter: TaskFilter) => call<TaskPage>("GET", `/tasks${query({ ...filter })}`);
export const getTask = (id: string) => call<TaskDetail>("GET", `/tasks/${id}`);
export const createTask = (task: NewTask) => call<TaskDetail>("POST", "/tasks", task);
export const changeTask = (id: string, change: TaskChange) => call<TaskDetail>("PATCH", `/tasks/${id}`, change);
export const deleteTask = (id: string) => call<void>("DELETE", `/tasks/${id}`);

/** The tree with the texts of all files; refused where they are too large together. */
export const taskTexts = (id: string) => call<TaskTree>("GET", `/tasks/${id}/tree?contents=true`);

export const putFile = (task: string, path: string, content: Blob) => call<FileStored>("PUT", `/tasks/${task}/files/${encodePath(path)}`, content);
/** Unpacks a zip into a folder of the task; with `replace` files that are there give way. */
export const importZip = (task: string, zip: Blob, folder = "", replace = false) =>
  call<TreeChanged>("POST", `/tasks/${task}/import${query({ folder, replace: replace ? "true" : undefined })}`, zip);

/** Where a file is downloaded from. */
export const fileUrl = (task: string, path: string) => `/api/v1/tasks/${task}/files/${encodePath(path)}`;
/** Where a folder, or with an empty path the whole task, is downloaded from as a zip. */
export const archiveUrl = (task: string, path = "") => `/api/v1/tasks/${task}/archive${query({ path })}`;

export const listRuns = (task: string, cursor?: string) => call<RunPage>("GET", `/tasks/${task}/runs${query({ cursor })}`);
export const runFiles = (run: string) => call<RunFiles>("GET", `/runs/${run}/manifest`);
/** Where one file of a run, as it was frozen, is downloaded from. */
export const runFileUrl = (run: string, path: string) => `/api/v1/runs/${run}/files/${encodePath(path)}`;
export const logUrl = (run: string) => `/api/v1/runs/${run}/log`;
export const outputUrl = (run: string) => `/api/v1/runs/${run}/output`;
export const snapshotUrl = (run: string) => `/api/v1/runs/${run}/snapshot`;
