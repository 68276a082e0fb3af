"""The beginning of connections that have a token in them, shown to Atoll by the terminator: HAProxy's side of it.

Pure.  HAProxy looks at what a client says first; only if there is a token in it does it ask, and wait for an answer.
Then the bytes go on unchanged.  Clients send their login at once and in one piece.
"""

SCRIPT, SOCKET = "tls-iam.lua", "iam.sock"  # files in the node's directory
FIRST_BYTE_SECONDS = 5  # to wait for it; whoever says nothing is connected all the same
ANSWER_SECONDS = 3

LUA = f"""core.register_action("show_token", {{"tcp-req"}}, function(txn)
  local sent = txn.req:data()
  if sent == nil or not sent:find("X-Amz-Signature=", 1, true) then return end
  local door = core.tcp()
  door:settimeout({ANSWER_SECONDS})
  if door:connect("unix@{SOCKET}") then
    door:send(#sent .. "\\n" .. sent)
    door:receive("*l")
  end
  door:close()
end)
"""

LOAD = f"  lua-load {SCRIPT}\n"
LOOK = (
    f"  tcp-request inspect-delay {FIRST_BYTE_SECONDS}s\n"
    "  tcp-request content lua.show_token if { req.len ge 1 }\n"
    "  tcp-request content accept if { req.len ge 1 }\n"
)
