import { useState } from "react";

/** Runs something once at a time, keeping its failure. */
export function useAction(): { busy: boolean; failure: unknown; run: (what: () => Promise<void>) => Promise<void> } {
  const [state, setState] = useState<{ busy: boolean; failure: unknown }>({ busy: false, failure: undefined });
  return {
    ...state,
    async run(what) {
      setState({ busy: true, failure: undefined });
      try {
        await what();
        setState({ busy: false, failure: undefined });
      } catch (failure) {
        setState({ busy: false, failure });
      }
    },
  };
}
