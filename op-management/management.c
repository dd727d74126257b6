#include "management.h"

struct management_process management_process;
