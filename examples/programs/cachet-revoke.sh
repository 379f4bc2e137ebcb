#!/bin/sh
# Ends an API token of Cachet 3 on the machine that it runs on. A program for `revoke` of a credential of the provider cachet;
# docs/providers/cachet.md. Read, not run: nobody has tried it on a real installation.
#
# usage: cachet-revoke.sh <directory of Cachet>
#
# The token is found by itself, and not by its id: only what was meant can be ended. Exit status: 0 it is gone, or never was; 75 certainly
# nothing was changed; anything else: look.
set -eu

if [ $# -ne 1 ]; then
  echo 'usage: cachet-revoke.sh <directory of Cachet>' >&2
  exit 75
fi
cd "$1" || exit 75

exec php -d display_errors=stderr -r '
$order = json_decode(file_get_contents("php://stdin"), true);
$key = $order["parts"]["key"] ?? "";
if (($order["do"] ?? null) !== "revoke" || $key === "") exit(75);
require "vendor/autoload.php";
(require "bootstrap/app.php")->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
$model = Laravel\Sanctum\Sanctum::$personalAccessTokenModel;
$model::findToken($key)?->delete();
'
