// Who has access to a task: members with their roles. Owners change it, everybody sees it.

import { useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { members as listMembers, removeMember, setMember, shareLinks } from "../api/people";
import { confirmed, Dialog } from "../app/dialog";
import { Icon } from "../app/icons";
import { go } from "../app/router";
import { sentenceOf } from "../app/sentence-of";
import { toast } from "../app/toasts";
import type { MemberLine, Role, ShareLinkLine } from "../messages.generated";
import type { Room } from "../room/room";
import { t, when } from "../texts/texts";
import { PersonSign } from "./person";
import { ShareLinks } from "./share-links";
import "./share.css";

const ROLES: readonly Role[] = ["viewer", "editor", "owner"];

export function ShareDialog({ room, onClose }: { room: Room; onClose(): void }) {
  const members = useSignal<readonly MemberLine[]>([]);
  const links = useSignal<readonly ShareLinkLine[]>([]);
  const problem = useSignal("");
  const texts = t.value.share;
  const isOwner = room.role.value === "owner";

  const load = () => listMembers(room.id).then((list) => (members.value = list.members), fail);
  const fail = (error: unknown) => {
    problem.value = sentenceOf(error);
  };
  const loadLinks = () => shareLinks(room.id).then((list) => void (links.value = list.links), fail);
  const ready = useMemo(() => Promise.all([load(), isOwner && loadLinks()]), [room.role.value]);
  /** Does a change, then shows what holds now: also when it was refused. */
  const act = (change: Promise<unknown>) => {
    problem.value = "";
    return change.then(load, (error: unknown) => load().then(() => fail(error)));
  };

  const remove = async ({ user }: MemberLine) => {
    const isMe = user.id === room.user.id;
    if (isMe && !(await confirmed(texts.leave, texts.leaveText, texts.leave))) return;
    if (isMe) removeMember(room.id, user.id).then(() => go("/"), fail);
    else void act(removeMember(room.id, user.id));
  };
  return (
    <Dialog title={texts.title} onClose={onClose} ready={ready}>
      <ul class="members" aria-label={texts.members}>
        {members.value.map((member) => {
          const { user, role } = member;
          const isMe = user.id === room.user.id;
          return (
            <li key={user.id}>
              <PersonSign {...user} />
              <span class="member-name">
                {user.name} {isMe && <span class="quiet">({texts.you})</span>}
                {member.expires_at && <span class="quiet"> {t.value.account.until(when(member.expires_at))}</span>}
              </span>
              {isOwner ? (
                <select aria-label={texts.role(user.name)} value={role} onChange={(event) => void act(setMember(room.id, user.id, event.currentTarget.value as Role))}>
                  {ROLES.map((each) => (
                    <option key={each} value={each}>
                      {t.value.roles[each]}
                    </option>
                  ))}
                </select>
              ) : (
                <span class="quiet">{t.value.roles[role]}</span>
              )}
              {isOwner || isMe ? (
                <button class="plain icon-only" aria-label={isMe ? texts.leave : texts.remove(user.name)} title={isMe ? texts.leave : texts.remove(user.name)} onClick={() => void remove(member)}>
                  <Icon name="close" />
                </button>
              ) : (
                <span />
              )}
            </li>
          );
        })}
      </ul>
      {isOwner ? <AddMember onAdd={(name, role) => act(setMember(room.id, name, role).then(() => toast(texts.added(name))))} /> : <p class="quiet">{texts.onlyOwners}</p>}
      <p class="problem" role="alert">
        {problem.value}
      </p>
      {isOwner && <ShareLinks room={room} links={links.value} load={loadLinks} />}
      <label class="field">
        {texts.link}
        <input readOnly autofocus={!isOwner} value={location.origin + location.pathname} onFocus={(event) => event.currentTarget.select()} />
        <span class="quiet">{texts.linkHint}</span>
      </label>
      <div class="actions">
        <button onClick={onClose}>{t.value.common.close}</button>
      </div>
    </Dialog>
  );
}

function AddMember({ onAdd }: { onAdd(name: string, role: Role): Promise<unknown> }) {
  const texts = t.value.share;
  const name = useRef<HTMLInputElement>(null);
  const role = useSignal<Role>("editor");
  const onSubmit = (event: Event) => {
    event.preventDefault();
    const wanted = name.current?.value.trim();
    if (!wanted) return;
    void onAdd(wanted, role.value).then(() => {
      if (name.current) name.current.value = "";
    });
  };
  return (
    <form class="add-member" onSubmit={onSubmit}>
      <input ref={name} autofocus placeholder={texts.addName} aria-label={texts.addName} title={texts.addHint} required autocomplete="off" />
      <select aria-label={texts.newRole} value={role.value} onChange={(event) => (role.value = event.currentTarget.value as Role)}>
        {ROLES.map((each) => (
          <option key={each} value={each}>
            {t.value.roles[each]}
          </option>
        ))}
      </select>
      <button>{texts.add}</button>
    </form>
  );
}
