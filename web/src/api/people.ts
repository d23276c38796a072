// Signing in and out, members of a task, own tokens.

import type { CreatedShareLink, CreatedToken, Invitation, Me, MemberLine, MemberList, NewShareLink, NewToken, Role, SessionList, ShareLinkList, TokenList } from "../messages.generated";
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

export const shareLinks = (task: string) => call<ShareLinkList>("GET", `/tasks/${task}/links`);
export const createShareLink = (task: string, link: NewShareLink) => call<CreatedShareLink>("POST", `/tasks/${task}/links`, link);
export const deleteShareLink = (task: string, id: string) => call<void>("DELETE", `/tasks/${task}/links/${id}`);
/** Where a link leads, without using it. */
export const lookAtLink = (code: string) => call<Invitation>("POST", "/links/look", { code });
export const acceptLink = (code: string) => call<Invitation>("POST", "/links/accept", { code });

export const sessions = () => call<SessionList>("GET", "/sessions");
export const endSession = (id: string) => call<void>("DELETE", `/sessions/${id}`);
export const endOtherSessions = () => call<void>("DELETE", "/sessions");

export const tokens = () => call<TokenList>("GET", "/tokens");
export const createToken = (token: NewToken) => call<CreatedToken>("POST", "/tokens", token);
export const deleteToken = (id: string) => call<void>("DELETE", `/tokens/${id}`);
