// Sign in with a name and password, or with the code of a one-time link.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { signIn, signInWithCode } from "../api/people";
import { go } from "../app/router";
import { sentenceOf } from "../app/sentence-of";
import { user } from "../app/session";
import type { Me } from "../messages.generated";
import { t } from "../texts/texts";
import { nextOf } from "./next-path";
import "./sign-in.css";

export function SignInPage() {
  const code = new URLSearchParams(location.search).get("code");
  const problem = useSignal("");
  const isBusy = useSignal(false);
  const button = useRef<HTMLButtonElement>(null);
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    document.title = "coderoom";
    (code ? button : name).current?.focus();
  }, [code]);

  const attempt = async (signing: Promise<Me>) => {
    const next = nextOf(location.search);
    isBusy.value = true;
    try {
      user.value = await signing;
      go(next);
    } catch (error) {
      problem.value = sentenceOf(error);
      isBusy.value = false;
    }
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    void attempt(code ? signInWithCode(code) : signIn(name.current?.value ?? "", password.current?.value ?? ""));
  };

  const texts = t.value.signIn;
  return (
    <main class="sign-in">
      <form class="stack" onSubmit={onSubmit}>
        <h1>{texts.title}</h1>
        {code ? (
          <p>{texts.oneTime}</p>
        ) : (
          <>
            <label class="field">
              {t.value.common.name}
              <input ref={name} name="name" autocomplete="username" required />
            </label>
            <label class="field">
              {texts.password}
              <input ref={password} name="password" type="password" autocomplete="current-password" required />
            </label>
          </>
        )}
        <button class="primary" ref={button} disabled={isBusy.value}>
          {texts.action}
        </button>
        <p class="problem" role="alert">
          {problem.value}
        </p>
        {!code && <p class="quiet">{texts.noPassword}</p>}
      </form>
    </main>
  );
}
