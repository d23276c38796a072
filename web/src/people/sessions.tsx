// The browsers in which one is signed in; each can be signed out from here.

import { endOtherSessions, endSession } from "../api/people";
import { Icon } from "../app/icons";
import { toastError } from "../app/toasts";
import type { SessionLine } from "../messages.generated";
import { browserName } from "./browser-name";
import { t, when } from "../texts/texts";

interface SessionsProps {
  sessions: readonly SessionLine[];
  load(): Promise<void>;
}

export function Sessions({ sessions, load }: SessionsProps) {
  const texts = t.value.account;
  return (
    <section aria-labelledby="sessions">
      <h2 id="sessions">{texts.sessions}</h2>
      <ul class="token-list" aria-labelledby="sessions">
        {sessions.map((session) => (
          <li key={session.id}>
            <span>
              <strong>{browserName(session.agent)}</strong>{" "}
              <span class="quiet">
                {session.address} · {session.current ? texts.thisOne : texts.seen(when(session.seen_at))}
              </span>
            </span>
            {!session.current && (
              <button class="plain icon-only" aria-label={texts.end(browserName(session.agent))} onClick={() => void endSession(session.id).then(load, toastError)}>
                <Icon name="close" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {sessions.length > 1 && <button onClick={() => void endOtherSessions().then(load, toastError)}>{texts.endOthers}</button>}
    </section>
  );
}
