// Links that invite into a task: make, copy once, end. For owners.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { createShareLink, deleteShareLink } from "../api/people";
import { copyText } from "../app/clipboard";
import { confirmed } from "../app/dialog";
import { Icon } from "../app/icons";
import { user } from "../app/session";
import { toast, toastError } from "../app/toasts";
import type { Role, ShareLinkLine } from "../messages.generated";
import type { Room } from "../room/room";
import { t, when } from "../texts/texts";

/** Days until a link ends that can be chosen; 0 is never. */
const DAYS = [1, 7, 30, 0];
const DAY_MS = 86_400_000;

const isUsedUp = ({ max_uses, uses }: ShareLinkLine) => max_uses !== null && uses >= max_uses;

interface ShareLinksProps {
  room: Room;
  links: readonly ShareLinkLine[];
  load(): Promise<void>;
}

export function ShareLinks({ room, links, load }: ShareLinksProps) {
  const texts = t.value.share;
  const made = useSignal("");
  const role = useSignal<Role>("viewer");
  const days = useSignal(7);
  const note = useRef<HTMLInputElement>(null);

  const onSubmit = async (event: Event) => {
    event.preventDefault();
    const expires = days.value > 0 ? { expires_at: Date.now() + days.value * DAY_MS } : {};
    try {
      made.value = (await createShareLink(room.id, { role: role.value, note: note.current?.value.trim() ?? "", ...expires })).url;
      if (note.current) note.current.value = "";
      await load();
    } catch (error) {
      toastError(error);
    }
  };
  const remove = async (link: ShareLinkLine) => {
    if (await confirmed(texts.deleteLink, texts.deleteLinkText, texts.deleteLink)) await deleteShareLink(room.id, link.id).then(load, toastError);
  };
  const copy = () => void copyText(made.value).then(() => toast(t.value.common.copied), toastError);
  const about = ({ expires_at, uses, note: forWhom }: ShareLinkLine) => [forWhom, expires_at ? t.value.account.until(when(expires_at)) : "", texts.uses(uses)].filter(Boolean).join(" · ");
  return (
    <section class="stack" aria-labelledby="share-links">
      <h3 id="share-links">{texts.links}</h3>
      <p class="quiet">{texts.linksHint}</p>
      {user.value?.is_admin && (
        <p class="quiet">
          {texts.accounts} <code class="command">coderoom admin create-user NAME</code>
        </p>
      )}
      <ul class="members">
        {links.map((link) => (
          <li key={link.id} class="link-line">
            <span class="member-name">
              <span class={link.invites ? "" : "over"}>{t.value.roles[link.role]}</span> <span class="quiet">{about(link)}</span>
              {!link.invites && <span class="why-over">{isUsedUp(link) ? texts.usedUp : texts.makerNoOwner(link.created_by.name)}</span>}
            </span>
            <button class="plain icon-only" aria-label={texts.deleteLink} title={texts.deleteLink} onClick={() => void remove(link)}>
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      {made.value && (
        <div class="secret" role="status">
          <p>{texts.linkSecret}</p>
          <code>{made.value}</code>
          <button onClick={copy}>
            <Icon name="copy" />
            {t.value.common.copy}
          </button>
        </div>
      )}
      <form class="add-member new-link" onSubmit={(event) => void onSubmit(event)}>
        <input ref={note} maxLength={200} placeholder={texts.linkNote} aria-label={texts.linkNote} autocomplete="off" />
        <select aria-label={texts.newRole} value={role.value} onChange={(event) => (role.value = event.currentTarget.value as Role)}>
          {(["viewer", "editor"] as const).map((each) => (
            <option key={each} value={each}>
              {t.value.roles[each]}
            </option>
          ))}
        </select>
        <select aria-label={texts.linkEnds} value={days.value} onChange={(event) => (days.value = Number(event.currentTarget.value))}>
          {DAYS.map((each) => (
            <option key={each} value={each}>
              {texts.linkEnds}: {each === 0 ? t.value.account.never : t.value.account.days(each)}
            </option>
          ))}
        </select>
        <button>{texts.makeLink}</button>
      </form>
    </section>
  );
}
