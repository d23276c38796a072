// Where an invitation link leads: says into what and by whom, and joins only when asked to.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { acceptLink, lookAtLink } from "../api/people";
import { ApiError } from "../api/http";
import { go, Link } from "../app/router";
import { sentenceOf } from "../app/sentence-of";
import type { Invitation } from "../messages.generated";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import "./sign-in.css";

export function JoinPage() {
  const code = location.hash.slice(1);
  const invitation = useSignal<Invitation | null>(null);
  const problem = useSignal("");
  const fail = (error: unknown) => {
    problem.value = error instanceof ApiError && error.code === "not_found" ? t.value.share.badLink : sentenceOf(error);
  };
  useEffect(() => {
    lookAtLink(code).then((found) => (invitation.value = found), fail);
  }, [code]);
  const join = () => void acceptLink(code).then(({ task }) => go(`/tasks/${task}`), fail);
  const texts = t.value.share;
  const found = invitation.value;
  return (
    <main class="sign-in">
      <div class="card stack">
        {found && (
          <>
            <h1>{texts.joinTitle(shownName(found.name))}</h1>
            <p>{texts.joinText(found.invited_by.name, t.value.roles[found.role])}</p>
            <button class="primary" onClick={join} autofocus>
              {texts.join}
            </button>
          </>
        )}
        {!found && !problem.value && <p>{t.value.common.loading}</p>}
        <p class="problem" role="alert">
          {problem.value}
        </p>
        {(found || problem.value) && <Link to="/">{t.value.editor.toTasks}</Link>}
      </div>
    </main>
  );
}
