#!/bin/sh
# Makes an API token of Cachet 3 on the machine that it runs on, and answers with it. A program for `issue` of a credential of the provider
# cachet; docs/providers/cachet.md. Read, not run: nobody has tried it on a real installation.
#
# usage: cachet-issue.sh <directory of Cachet> <id of the user> <ability>...
#
# The name of the token is the label that it is asked for under. Tokens of earlier tries of the same rotation are ended first: their answers
# were lost, and nobody has them. Exit status: 0 a token was made; 75 certainly none; anything else: look.
set -eu

# Without any ability a token would have all of them.
if [ $# -lt 3 ]; then
  echo 'usage: cachet-issue.sh <directory of Cachet> <id of the user> <ability>...' >&2
  exit 75
fi
cd "$1" || exit 75
shift

# Warnings go to standard error, or the answer could not be read.
exec php -d display_errors=stderr -r '
$order = json_decode(file_get_contents("php://stdin"), true);
[$id, $abilities] = [$argv[1], array_slice($argv, 2)];
if (($order["do"] ?? null) !== "issue" || in_array("*", $abilities, true)) exit(75);
require "vendor/autoload.php";
(require "bootstrap/app.php")->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
$user = config("auth.providers.users.model")::find($id);
if ($user === null) exit(75);
$label = $order["label"];
$user->tokens()->where("name", "like", substr($label, 0, strrpos($label, "/") + 1) . "%")->delete();
$token = $user->createToken($label, $abilities);
echo json_encode([
    "parts" => ["key" => $token->plainTextToken],
    "providerKeyId" => (string) $token->accessToken->getKey(),
]);
' -- "$@"
