import type { Me, Party } from "../api/client";

/** Someone in a party, or asked to join it. */
export interface Person {
  account: string;
  name: string;
  leads: boolean;
  joined: boolean;
}

/** The people of a party, the leader first; before there is one, just oneself. */
export function peopleOf(party: Party | undefined, me: Me): Person[] {
  if (!party) return [{ account: me.account_id, name: me.nickname, leads: true, joined: true }];
  const person = (account: string, joined: boolean): Person => ({
    account,
    name: party.nicknames[account] ?? "···",
    leads: account === party.leader,
    joined,
  });
  return [...party.members.map((one) => person(one, true)), ...party.invited.map((one) => person(one, false))];
}
