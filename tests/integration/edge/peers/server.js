// A Modbus TCP server on modbus-serial, for tests: says its port; ends when its standard input does.
// Register n of unit u holds 100 u + n, bit n is on where n is odd; from 50 on everything is refused (exception 2).
"use strict";

const { ServerTCP } = require("modbus-serial");

const BEYOND = 50;
const ANY_PORT = "0"; // as a number it would be taken for none

function held(address, value) {
  if (address >= BEYOND) throw { modbusErrorCode: 2, msg: "illegal data address" };
  return value;
}

const register = (address, unit) => held(address, 100 * unit + address);
const bit = (address) => held(address, address % 2 === 1);
const vector = { getHoldingRegister: register, getInputRegister: register, getCoil: bit, getDiscreteInput: bit };

const server = new ServerTCP(vector, { host: "127.0.0.1", port: ANY_PORT, unitID: 255 });
server.on("initialized", () => console.log(server._server.address().port));
server.on("socketError", () => {});
process.stdin.on("end", () => process.exit(0)).resume();
