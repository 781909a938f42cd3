// A backend's object as another build would have left it.
#include "trainer/backend/plugin.h"

extern "C" const baton::trainer::BackendPlugin* BatonBackendPlugin() {
  static const baton::trainer::BackendPlugin plugin{"0123456789", nullptr};
  return &plugin;
}
