// The account of the one who is signed in: password, browsers and API tokens. What is below a list is shown when its length is known,
// or that it is not to be had.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { changePassword, sessions as listSessions, tokens as listTokens } from "../api/people";
import { Header } from "../app/header";
import { Icon } from "../app/icons";
import { Link } from "../app/router";
import { sentenceOf } from "../app/sentence-of";
import { toast } from "../app/toasts";
import { t } from "../texts/texts";
import { ListProblem, useLoaded } from "./loaded";
import { Sessions } from "./sessions";
import { Tokens } from "./tokens";
import "./account.css";

export function AccountPage() {
  const texts = t.value.account;
  const sessions = useLoaded(listSessions);
  const tokens = useLoaded(listTokens);
  useEffect(() => void (document.title = `${texts.title} · coderoom`), [texts]);
  return (
    <div class="account-page">
      <Header>
        <Link to="/" class="button plain icon-only" aria-label={t.value.editor.toTasks} title={t.value.editor.toTasks}>
          <Icon name="back" />
        </Link>
        <h1>{texts.title}</h1>
        <span class="space" />
      </Header>
      <main>
        <Password />
        {sessions.value && <Sessions sessions={sessions.value.sessions} load={sessions.load} />}
        {sessions.problem && <ListProblem title={texts.sessions} problem={sessions.problem} load={sessions.load} />}
        {(sessions.value || sessions.problem) && tokens.value && <Tokens tokens={tokens.value.tokens} load={tokens.load} />}
        {(sessions.value || sessions.problem) && tokens.problem && <ListProblem title={texts.tokens} problem={tokens.problem} load={tokens.load} />}
      </main>
    </div>
  );
}

function Password() {
  const texts = t.value.account;
  const current = useRef<HTMLInputElement>(null);
  const next = useRef<HTMLInputElement>(null);
  const problem = useSignal("");
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    try {
      await changePassword(current.current?.value || undefined, next.current?.value ?? "");
      problem.value = "";
      toast(texts.changed);
      (event.target as HTMLFormElement).reset();
    } catch (error) {
      problem.value = sentenceOf(error);
    }
  };
  return (
    <section aria-labelledby="password">
      <h2 id="password">{texts.password}</h2>
      <form class="stack" onSubmit={(event) => void onSubmit(event)}>
        <label class="field">
          {texts.current}
          <input ref={current} type="password" autocomplete="current-password" />
          <span class="quiet">{texts.currentHint}</span>
        </label>
        <label class="field">
          {texts.next}
          <input ref={next} type="password" autocomplete="new-password" required />
        </label>
        <p class="problem" role="alert">
          {problem.value}
        </p>
        <button>{texts.change}</button>
      </form>
    </section>
  );
}
