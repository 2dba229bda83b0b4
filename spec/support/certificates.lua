--- Certificates for the specs of TLS, made once for each process by the openssl command.
--
--     local certificates = require "spec.support.certificates"
--     context:load_cert_chain(certificates.path "server.pem")
--
-- `ca.pem` has signed `server.pem` (localhost, 127.0.0.1), `other.pem` (other.example),
-- `client.pem`, `wild.pem` (*.wild.example, part*.example) and `expired.pem` (localhost);
-- `stranger.pem` (localhost) has signed itself. Each file but ca.pem holds its key too;
-- `locked.pem` is the server's, its key under the password "secret".
local M = {}

local SCRIPT = [[
set -e
ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
cd "$1"
exec >/dev/null 2>&1
new() {
  openssl req $ec -nodes -keyout "$1.key" -subj "/CN=$2" \
    -out "$1.csr"
}
openssl req -x509 $ec -nodes -keyout ca.key -out ca.pem \
  -days 2 -subj /CN=specs
sign() {
  new "$1" "$2"
  printf 'subjectAltName=%s\n' "$3" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
    -extfile "$1.ext" -out "$1.crt"
  cat "$1.crt" "$1.key" >"$1.pem"
}
sign server localhost DNS:localhost,IP:127.0.0.1
sign other other.example DNS:other.example
sign client client DNS:client
sign wild wild 'DNS:*.wild.example,DNS:part*.example'
openssl ec -in server.key -aes128 -passout pass:secret -out locked.key
cat server.crt locked.key >locked.pem
openssl req -x509 $ec -nodes -keyout stranger.key \
  -out stranger.crt -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost
cat stranger.crt stranger.key >stranger.pem
new expired localhost
touch index.txt
cat >ca.cnf <<END
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = DNS:localhost
END
openssl ca -batch -notext -config ca.cnf -startdate 20200101000000Z -enddate 20200201000000Z \
  -in expired.csr -out expired.crt
cat expired.crt expired.key >expired.pem
]]

local directory

local function make()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkdir '%s'"):format(path)))
  local script <close> = assert(io.popen(
    ("sh -s '%s' <<'SCRIPT'\n%s\nSCRIPT"):format(path, SCRIPT)))
  script:read("a")
  -- removed when the state closes
  directory = setmetatable({path = path}, {__gc = function(self)
    os.execute(("rm -rf '%s'"):format(self.path))
  end})
  local last = io.open(path .. "/expired.pem")
  assert(last, "the openssl command has not made the certificates"):close()
end

--- The path of one of the files.
function M.path(name)
  if not directory then make() end
  return directory.path .. "/" .. name
end

return M
