import { about, anything, document, list, object, subnet, text } from "./shapes.ts";

export const planes = document("planes", {
  description:
    "The backends by which peers may still send to a host while its network moves from one to another: " +
    "planes.json in the state directory, which only root reads.",
  optional: {
    encrypted: about("the network, of each family, where the one of now encrypts", list(subnet)),
  },
  fields: {
    planes: about(
      "the one of now first",
      list(
        object({
          type: about("the backend", text),
          options: about("its options in the network config", anything),
        }),
      ),
    ),
  },
});
