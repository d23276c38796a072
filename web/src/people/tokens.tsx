// API tokens of the one who is signed in. A secret is shown once, when it was made.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { createToken, deleteToken } from "../api/people";
import { copyText } from "../app/clipboard";
import { confirmed } from "../app/dialog";
import { Icon } from "../app/icons";
import { toast, toastError } from "../app/toasts";
import type { Scope, TokenLine } from "../messages.generated";
import { t, when } from "../texts/texts";

/** Days until a token ends that can be chosen; 0 is never. */
const DAYS = [7, 30, 90, 365, 0];
/** From the least to the most; a choice has all before it. */
const SCOPES: readonly Scope[] = ["read", "edit", "run", "admin"];

interface TokensProps {
  tokens: readonly TokenLine[];
  load(): Promise<void>;
}

export function Tokens({ tokens, load }: TokensProps) {
  const texts = t.value.account;
  const secret = useSignal("");
  const name = useRef<HTMLInputElement>(null);
  const days = useSignal(30);
  const reach = useSignal<Scope>("run");

  const onSubmit = async (event: Event) => {
    event.preventDefault();
    try {
      const made = await createToken({ name: name.current?.value.trim() ?? "", scopes: SCOPES.slice(0, SCOPES.indexOf(reach.value) + 1), ...(days.value > 0 ? { expires_days: days.value } : {}) });
      secret.value = made.token;
      if (name.current) name.current.value = "";
      await load();
    } catch (error) {
      toastError(error);
    }
  };
  const remove = async (token: TokenLine) => {
    if (await confirmed(texts.deleteToken(token.name), texts.deleteTokenText, t.value.common.delete)) await deleteToken(token.id).then(load, toastError);
  };
  const copy = () => void copyText(secret.value).then(() => toast(t.value.common.copied), toastError);
  const about = (token: TokenLine) =>
    [texts.scopes[token.scopes.at(-1) ?? "read"], token.last_used_at ? texts.lastUsed(when(token.last_used_at)) : texts.unused, token.expires_at ? texts.until(when(token.expires_at)) : texts.never].join(" · ");
  return (
    <section aria-labelledby="tokens">
      <h2 id="tokens">{texts.tokens}</h2>
      <p class="quiet">{texts.tokensHint}</p>
      <ul class="token-list" aria-labelledby="tokens">
        {tokens.length === 0 && <li class="quiet">{texts.none}</li>}
        {tokens.map((token) => (
          <li key={token.id}>
            <span>
              <strong>{token.name}</strong> <span class="quiet">{about(token)}</span>
            </span>
            <button class="plain icon-only" aria-label={texts.deleteToken(token.name)} title={t.value.common.delete} onClick={() => void remove(token)}>
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      {secret.value && (
        <div class="secret" role="status">
          <p>{texts.secret}</p>
          <code>{secret.value}</code>
          <button onClick={copy}>
            <Icon name="copy" />
            {t.value.common.copy}
          </button>
        </div>
      )}
      <form class="new-token" onSubmit={(event) => void onSubmit(event)}>
        <input ref={name} required maxLength={100} placeholder={texts.tokenName} aria-label={texts.tokenName} autocomplete="off" />
        <select aria-label={texts.mayDo} value={reach.value} onChange={(event) => (reach.value = event.currentTarget.value as Scope)}>
          {SCOPES.map((each) => (
            <option key={each} value={each}>
              {texts.scopes[each]}
            </option>
          ))}
        </select>
        <select aria-label={texts.expires} value={days.value} onChange={(event) => (days.value = Number(event.currentTarget.value))}>
          {DAYS.map((each) => (
            <option key={each} value={each}>
              {texts.expires}: {each === 0 ? texts.never : texts.days(each)}
            </option>
          ))}
        </select>
        <button>{texts.make}</button>
      </form>
    </section>
  );
}
