// The menu of the one who is signed in: appearance, language, account, sign out.

import { confirmed } from "../app/dialog";
import { MenuButton, type MenuItem } from "../app/menu";
import { go } from "../app/router";
import { signOut, user } from "../app/session";
import { toastError } from "../app/toasts";
import { hasUnsentEdits, sweepCopies } from "../room/unsent-files";
import { chooseLanguage, language, t, UI_LANGUAGES, type UiLanguage } from "../texts/texts";
import { theme, type Theme } from "../theme/theme";
import { initials, colourOf } from "./colours";

const THEMES: readonly Theme[] = ["system", "light", "dark"];

function items(): MenuItem[] {
  const texts = t.value.app;
  return [
    { title: texts.theme },
    ...THEMES.map((each) => ({ label: texts.themes[each], checked: theme.value === each, act: () => void (theme.value = each) })),
    "line",
    { title: texts.language },
    ...(Object.keys(UI_LANGUAGES) as UiLanguage[]).map((each) => ({ label: UI_LANGUAGES[each], checked: language.value === each, act: () => chooseLanguage(each) })),
    "line",
    { label: texts.account, act: () => go("/account") },
    { label: texts.signOut, act: () => void leave() },
  ];
}

async function leave(): Promise<void> {
  const texts = t.value.app;
  if (hasUnsentEdits() && !(await confirmed(texts.signOut, texts.unsentOnSignOut, texts.signOut))) return;
  await signOut().then(sweepCopies).catch(toastError);
}

export function UserMenu() {
  const me = user.value;
  if (!me) return null;
  return (
    <MenuButton class="person" style={{ "--person": colourOf(me.id) }} name={t.value.app.menu(me.name)} items={items}>
      {initials(me.name)}
    </MenuButton>
  );
}
