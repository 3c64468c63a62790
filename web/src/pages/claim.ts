import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { MyPlace } from "../api/client";
import { commands } from "../api/commands";
import { queries } from "../api/queries";
import { useAction } from "../ui/use-action";

/** Claims the pass that one was called to, by itself, as the page is open: who is here has come. */
export function useClaim(performance: string, line: MyPlace | null | undefined) {
  const client = useQueryClient();
  const action = useAction();
  const called = line?.state === "called" ? line.entry_id : undefined;
  const claim = () =>
    action.run(async () => {
      try {
        await commands.claimPass(performance);
      } finally {
        await client.invalidateQueries(queries.line(performance));
      }
    });
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each call, not for each rendering
  useEffect(() => {
    if (called) void claim();
  }, [called]);
  return { busy: action.busy, failure: action.failure, claim };
}
