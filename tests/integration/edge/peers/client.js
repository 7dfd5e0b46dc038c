// Modbus TCP reads with modbus-serial, for tests: `client.js PORT UNIT CALL ADDRESS COUNT [...]`, one line of JSON each.
"use strict";

const ModbusRTU = require("modbus-serial");

async function main(port, asks) {
  const client = new ModbusRTU();
  await client.connectTCP("127.0.0.1", { port });
  client.setTimeout(5000);
  for (let at = 0; at < asks.length; at += 4) {
    const [unit, call, address, count] = asks.slice(at, at + 4);
    client.setID(Number(unit));
    try {
      const { data } = await client[call](Number(address), Number(count));
      console.log(JSON.stringify(data.slice(0, Number(count))));
    } catch (error) {
      console.log(JSON.stringify({ code: error.modbusCode ?? error.message }));
    }
  }
  client.close(() => process.exit(0));
}

main(Number(process.argv[2]), process.argv.slice(3));
