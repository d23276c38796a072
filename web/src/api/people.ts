// Signing in and out, members of a task, own tokens.

import type { CreatedToken, Me, MemberLine, MemberList, NewToken, Role, TokenList } from "../messages.generated";
import { ApiError, call } from "./http";

/** Who is signed in, or null. */
export async function me(): Promise<Me | null> {
  try {
    return await call<Me>("GET", "/me");
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

export const signIn = (name: string, password: string) => call<Me>("POST", "/sign-in", { name, password });
export const signInWithCode = (code: string) => call<Me>("POST", "/sign-in/code", { code });
export const signOut = () => call<void>("POST", "/sign-out");
export const changePassword = (current: string | undefined, next: string) => call<void>("POST", "/me/password", { current, new: next });

export const members = (task: string) => call<MemberList>("GET", `/tasks/${task}/members`);
export const setMember = (task: string, user: string, role: Role) => call<MemberLine>("PUT", `/tasks/${task}/members/${encodeURIComponent(user)}`, { role });
export const removeMember = (task: string, user: string) => call<void>("DELETE", `/tasks/${task}/members/${encodeURIComponent(user)}`);

export const tokens = () => call<TokenList>("GET", "/tokens");
export const createToken = (token: NewToken) => call<CreatedToken>("POST", "/tokens", token);
export const deleteToken = (id: string) => call<void>("DELETE", `/tokens/${id}`);
